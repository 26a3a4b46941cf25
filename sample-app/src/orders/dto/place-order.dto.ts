import { Type } from 'class-transformer';
import {
  ArrayMaxSize,
  ArrayNotEmpty,
  ArrayUnique,
  IsArray,
  IsEmail,
  IsInt,
  IsISO31661Alpha2,
  IsNotEmpty,
  IsString,
  Matches,
  Max,
  Min,
  ValidateNested,
} from 'class-validator';

export class CustomerDto {
  @IsString()
  @IsNotEmpty()
  name!: string;

  @IsEmail()
  email!: string;
}

export class AddressDto {
  @IsString()
  @IsNotEmpty()
  street!: string;

  @IsString()
  @IsNotEmpty()
  postalCode!: string;

  @IsString()
  @IsNotEmpty()
  city!: string;

  @IsISO31661Alpha2()
  country!: string;
}

export class OrderItemDto {
  @Matches(/^[A-Z]{3}(-[A-Z0-9]{2,5}){2}$/, { message: 'sku must look like BRW-CONE-01' })
  sku!: string;

  @IsInt()
  @Min(1)
  @Max(20)
  quantity!: number;
}

/** An order as the checkout sends it, under the number the checkout gave it. */
export class PlaceOrderDto {
  @Matches(/^\d{4,10}$/, { message: 'id must be an order number of 4 to 10 digits' })
  id!: string;

  @ValidateNested()
  @Type(() => CustomerDto)
  customer!: CustomerDto;

  @ValidateNested()
  @Type(() => AddressDto)
  address!: AddressDto;

  @IsArray()
  @ArrayNotEmpty()
  @ArrayMaxSize(50)
  @ArrayUnique((item: OrderItemDto) => item.sku)
  @ValidateNested({ each: true })
  @Type(() => OrderItemDto)
  items!: OrderItemDto[];

  /** From the payment form: the card itself never comes here. */
  @Matches(/^tok_[a-z]+_[a-z0-9]+$/, { message: 'cardToken must be a token of the payment form' })
  cardToken!: string;
}
