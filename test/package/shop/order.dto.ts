import { ArrayNotEmpty, IsString } from 'class-validator';

export class OrderDto {
  @IsString()
  id!: string;

  @ArrayNotEmpty()
  @IsString({ each: true })
  items!: string[];
}
