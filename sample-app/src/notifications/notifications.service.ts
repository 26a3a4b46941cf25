import { Injectable } from '@nestjs/common';
import { InjectRepository } from '@nestjs/typeorm';
import { Repository } from 'typeorm';

import { Notification } from './notification.entity.js';

@Injectable()
export class NotificationsService {
  constructor(@InjectRepository(Notification) private readonly notifications: Repository<Notification>) {}

  /** Queues a mail; one of a kind per order. */
  async send(mail: Pick<Notification, 'orderId' | 'kind' | 'recipient' | 'text'>): Promise<void> {
    await this.notifications.createQueryBuilder().insert().values(mail).orIgnore().execute();
  }
}
